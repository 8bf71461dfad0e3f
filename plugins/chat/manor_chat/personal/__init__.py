"""What people keep for themselves: preferences and drafts."""
