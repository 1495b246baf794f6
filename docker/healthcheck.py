"""Fails unless the Jupyter server of this container answers.

Port, base URL and TLS are those that the running server has written down.
"""

import glob
import json
import os
import ssl
import sys
import urllib.request

files = glob.glob(os.path.join(os.environ["JUPYTER_RUNTIME_DIR"], "jpserver-*.json"))
if not files:
    sys.exit("no Jupyter server has been started")
with open(max(files, key=os.path.getmtime), encoding="utf-8") as f:
    server = json.load(f)
scheme = "https" if server.get("secure") else "http"
url = f"{scheme}://127.0.0.1:{server['port']}{server['base_url']}api"
# The certificate is for the name by which users come, not for 127.0.0.1.
context = ssl._create_unverified_context() if server.get("secure") else None
with urllib.request.urlopen(url, timeout=4, context=context) as answer:
    print(url, answer.status)
