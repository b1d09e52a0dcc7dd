"""The night desk: decides what runs when, keeps the record, and looks after the processes that
paint."""
