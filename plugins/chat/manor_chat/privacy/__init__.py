"""What chat knows of a person: handed out to them whole, and erased whole."""
