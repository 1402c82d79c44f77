"""The executor `requeue`: a whole job is stopped and started again by whoever manages it, and keeps its place."""
