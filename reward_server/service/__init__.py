"""HTTP only: routes, dialects, problems, authentication, limits, metrics."""
