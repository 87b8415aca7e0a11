"""The venue's side. It shares no state with ours and keeps its own ledger."""
