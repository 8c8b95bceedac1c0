"""Read models: tables that followers keep from the log, and the questions asked of them."""
