"""Requests signed for Amazon's managed Prometheus (AWS Signature Version 4), which takes no tokens or passwords.

AWS's own runtime library signs and finds the credentials, as its other tools do: environment, profiles, the web
identity of a service account (IRSA), EKS Pod Identity, the instance; it renews those that expire. It needs nothing
else; botocore, the other choice, holds back python-dateutil, of which our Kubernetes client wants a newer one.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final
from urllib.parse import urlsplit

from requests import PreparedRequest
from requests.auth import AuthBase

from descheduler.model.errors import HistoryRefused, HistoryUnreachable

SERVICE: Final = "aps"
"""What Amazon Managed Service for Prometheus is called in a signature."""
_ANSWER_WITHIN = 30.0  # seconds: credentials may come over the network


@dataclass(frozen=True, slots=True)
class SigV4:
    """For which region and service requests are signed, and by which profile of the AWS configuration, if by one."""

    region: str
    service: str = SERVICE
    profile: str = ""


class Signer(AuthBase):
    """Signs every request anew, each attempt too: a signature holds for minutes.

    Raises:
        HistoryRefused: the library is not installed, or there is no such profile.
    """

    def __init__(self, how: SigV4) -> None:
        try:
            from awscrt import auth, exceptions, http
        except ImportError as error:
            raise HistoryRefused(
                "history server: signing for AWS needs awscrt: pip install 'descheduler[sigv4]'"
            ) from error
        self._how = how
        self._auth, self._http = auth, http
        self._errors = (exceptions.AwsCrtError, RuntimeError, TimeoutError)
        providers = auth.AwsCredentialsProvider
        try:
            self._credentials = (
                providers.new_profile(profile_name=how.profile) if how.profile else providers.new_default_chain()
            )
        except self._errors as error:
            raise HistoryRefused(f"history server: profile {how.profile} of AWS cannot be used: {error}") from error

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        path, mark, query = str(request.url).partition("?")
        request.url = f"{path}{mark}{query.replace('+', '%20')}"  # a plus is not a space to all who read signatures
        signed = self._signable(request)
        config = self._auth.AwsSigningConfig(
            credentials_provider=self._credentials, region=self._how.region, service=self._how.service
        )
        try:
            self._auth.aws_sign_request(signed, config).result(_ANSWER_WITHIN)
        except self._errors as error:
            where = "environment, profile, service account, pod identity, instance"
            raise HistoryUnreachable(f"no credentials of AWS to sign requests with ({where}): {error}") from error
        request.headers.update(dict(signed.headers))
        return request

    def _signable(self, request: PreparedRequest) -> Any:
        """Method, path, body, and of the headers those that nobody on the way changes."""
        headers = [("Host", urlsplit(str(request.url)).netloc)]
        if "Content-Type" in request.headers:
            headers.append(("Content-Type", request.headers["Content-Type"]))
        body = request.body or b""
        stream = BytesIO(body.encode() if isinstance(body, str) else bytes(body))
        return self._http.HttpRequest(request.method, request.path_url, self._http.HttpHeaders(headers), stream)
