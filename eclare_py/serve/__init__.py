"""The HTTP server: `eclare serve`. Needs the extra `serve`; nothing else of the package imports it."""
