"""Status, viewers and statistics: what is on, who watches, and how the server does."""
