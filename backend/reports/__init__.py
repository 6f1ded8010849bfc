"""Reports that a person opens and a program reads: one HTML file and one JSON file each."""
