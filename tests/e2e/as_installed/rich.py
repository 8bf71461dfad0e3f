"""Nobody who installs Manor gets this library, and importing it is a twentieth of a command's start."""

raise ImportError("only our development tools want rich")
