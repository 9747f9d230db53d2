# virtkilnd itself: command line, configuration, sockets.
