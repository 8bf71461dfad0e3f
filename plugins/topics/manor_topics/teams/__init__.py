"""Teams: people who share topics, on the plan of who owns the team."""
