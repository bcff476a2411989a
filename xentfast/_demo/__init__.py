"""The demonstration, with public names alone: digits (training), speed (tables of this machine), spread (first weights)."""
