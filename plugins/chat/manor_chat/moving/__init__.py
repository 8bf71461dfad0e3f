"""Moving in from another server and out again, in the bulk format of Mattermost (JSON lines, and files beside them)."""
