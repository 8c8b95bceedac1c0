"""Paper cases typed into a sheet: read, checked, and carried through the one door, row by row."""
