"""PyIceberg over Headrace: a catalog whose commits are the action ``headrace.commit``.

PyIceberg's own writers and evolutions run against the service: what they require and update is what engines send.
"""

import json

from pyiceberg.catalog import Catalog
from pyiceberg.catalog.noop import NoopCatalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import CommitTableResponse, StaticTable, Table

import headrace


class HeadraceCatalog(NoopCatalog):
    def __init__(self, client: headrace.Client) -> None:
        Catalog.__init__(self, "headrace")
        self.client = client

    def load_table(self, identifier: str | tuple[str, ...]) -> Table:
        """A commit of nothing answers the table as it is."""
        path = tuple(identifier.split(".")) if isinstance(identifier, str) else identifier
        response = self._commit(path, [], [])
        io = self._load_file_io({}, response.metadata_location)
        return Table(path, response.metadata, response.metadata_location, io, self)

    def commit_table(self, table: Table, requirements, updates) -> CommitTableResponse:
        return self._commit(table.name(), requirements, updates)

    def _commit(self, path: tuple[str, ...], requirements, updates) -> CommitTableResponse:
        body = {
            "identifier": {"namespace": list(path[:-1]), "name": path[-1]},
            "requirements": [
                json.loads(one.model_dump_json(by_alias=True, exclude_none=False)) for one in requirements
            ],
            "updates": [json.loads(one.model_dump_json(by_alias=True, exclude_none=True)) for one in updates],
        }
        try:
            return CommitTableResponse.model_validate(self.client.action("headrace.commit", body))
        except headrace.HeadraceError as error:
            if error.code == "COMMIT_CONFLICT":
                raise CommitFailedException(str(error)) from error
            raise


def static_table(location: str) -> StaticTable:
    return StaticTable.from_metadata(location)
