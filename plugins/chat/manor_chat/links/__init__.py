"""What other servers say of the pages and pictures that people link to."""
