"""Time to import the package, NumPy being there already: each sample is a process of its own."""


class Import:
    def timeraw_xentfast(self):
        return "import xentfast", "import numpy"

    def timeraw_init(self):
        """With what is loaded when it is first asked for."""
        return "import xentfast; xentfast.init", "import numpy"
