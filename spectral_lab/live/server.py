"""A Jupyter server that sends small messages at once.

Without TCP_NODELAY a frame waits in the operating system for the one before it to be acknowledged: 14–17 instead of
more than 30 pictures a second.  Used by the launcher: ``--ServerApp.kernel_websocket_connection_class=…``.
"""

from __future__ import annotations

from typing import Any

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection


class PromptConnection(ZMQChannelsWebsocketConnection):
    """The server's own kernel connection, with TCP_NODELAY set on its socket."""

    def connect(self) -> Any:
        """Connect to the kernel; called by the server when a page opens its websocket."""
        self.websocket_handler.set_nodelay(True)
        return super().connect()
