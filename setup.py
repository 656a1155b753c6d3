"""Packaging of txregistry, with the twistd plugin as a drop-in."""

from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent
scope: dict[str, str] = {}
exec((here / "txregistry" / "__init__.py").read_text("utf-8"), scope)

#: Tracing, for whoever wants it.
OTEL = [
    "opentelemetry-exporter-otlp-proto-http>=1.20",
    "opentelemetry-sdk>=1.20",
]

#: Storage in a bucket. The bound is the newest that was tried: its signer is used below
#: the client, by public names.
S3 = ["botocore>=1.34,<1.45"]

setup(
    name="txregistry",
    version=scope["__version__"],
    description="A container registry and pull-through edge cache on Twisted",
    long_description=(here / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=[
        *find_packages(include=["txregistry", "txregistry.*"]),
        "twisted.plugins",
    ],
    package_data={"txregistry": ["py.typed", "web/console/static/*"]},
    # The lower bounds are tried by `make versions`, all at once.
    install_requires=[
        "attrs>=23.2",
        "bcrypt>=4.1",
        "click>=8.4",
        "cryptography>=42",
        "google-re2>=1.1",
        # Of these three we use what is private (see the modules called *_private). Each
        # bound is the newest that was tried: raise it with `make versions`.
        "h2>=4.1,<4.5",
        "joserfc>=1.4",
        "klein>=24.8",
        "prometheus-client>=0.20",
        "publicsuffixlist>=1.0",
        "pyopenssl>=24.0",
        "pyyaml>=6.0",
        "rich>=13.7",
        "treq>=26.7",
        "twisted[http2,tls]>=24.11,<26.11",
        "txredisapi>=1.6,<1.7",
        "zope.interface>=6.0",
    ],
    extras_require={
        "otel": OTEL,
        "s3": S3,
        "test": [
            *OTEL,
            *S3,
            "coverage>=7.4",
            "cryptography>=42",
            "fakeredis[lua]>=2.26",
            "hypothesis>=6.100",
            # Brings the schemas of the API with it.
            "kubernetes-validate>=1.31",
            "jsonschema>=4.18",
            "openapi-spec-validator>=0.7",
            # Drive Debian's Chromium, and look at pages as assistive tools do.
            "playwright>=1.48",
            "axe-playwright-python>=0.1.4",
            "oras>=0.2.43",
            "python-dxf>=12.1",
        ],
        "lint": [
            "mypy>=1.13",
            "mypy-zope>=1.0.9",
            "ruff>=0.8",
            "types-PyYAML",
        ],
        "release": ["towncrier>=24.8"],
    },
    entry_points={
        "console_scripts": ["txregistry = txregistry.cli.main:main"],
    },
    classifiers=[
        "Framework :: Twisted",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Typing :: Typed",
    ],
    zip_safe=False,
)
