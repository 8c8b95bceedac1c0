"""An event-sourced engine for four-level labour-dispute mediation."""
