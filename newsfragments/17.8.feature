``make image`` builds a container image from the Debian package: it runs without root, with a file
system that is read only and one volume, drains on SIGTERM and looks after its health with the new
``txregistry health``.
