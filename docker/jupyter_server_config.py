# Settings of every Jupyter server in the image.
#
# No token is set here. Jupyter takes the one in JUPYTER_TOKEN, or makes one up
# and prints it; an empty JUPYTER_TOKEN is none, so the server is never open.
c = get_config()  # noqa: F821
# Inside the container's own network; what of it can be reached from outside,
# and from where, is said by -p.
c.ServerApp.ip = ""
c.ServerApp.open_browser = False
