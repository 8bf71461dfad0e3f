"""What administrators and their programs do: settings, tokens, the directory."""
