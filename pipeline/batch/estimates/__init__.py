"""What a pair will take: time, memory, room on the disk."""
