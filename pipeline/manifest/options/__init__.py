"""What each option may be, and which value of several wins."""
