"""What every service uses: the application, calls and routes, and how a service is described."""
