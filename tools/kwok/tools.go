//go:build tools

// Package tools names what is built, so that go.mod and go.sum hold exactly its modules.
package tools

import _ "sigs.k8s.io/kwok/cmd/kwok"
