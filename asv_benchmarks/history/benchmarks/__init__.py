"""What is timed at the commits of ../commits.txt. All of it on one thread: a second one waits for any other process."""
