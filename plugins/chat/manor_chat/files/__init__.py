"""Files that people upload, and pictures of them."""
