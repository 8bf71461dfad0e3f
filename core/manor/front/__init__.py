"""The front door: HTTP/1.1 read and answered on our own sockets. It knows neither Quart nor hypercorn."""
