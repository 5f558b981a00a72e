"""What people look at: views of a study as plain data, and their tables, figures and live display."""
