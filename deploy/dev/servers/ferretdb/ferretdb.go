//go:build never

// Package ferretdb only pins what mongodb.sh builds: FerretDB v1, a server that speaks MongoDB's
// protocol and keeps its data in SQLite, with everything it needs, by version and hash.
package ferretdb

import _ "github.com/FerretDB/FerretDB/cmd/ferretdb"
