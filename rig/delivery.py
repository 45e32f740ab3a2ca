"""That everything published arrives."""


class MissingDeliveryError(AssertionError):
    """Something that was published did not arrive: the whole run has failed, however quick it was."""
