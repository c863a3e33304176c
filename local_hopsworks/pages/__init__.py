"""What a browser shows: the frame of all pages, and how a service declares its own."""
