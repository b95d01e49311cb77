"""What ci/planted does: plants known mistakes into a copy of the sources and measures what finds them."""
