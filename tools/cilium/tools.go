//go:build tools

// Package tools names what is built, so that go.mod and go.sum hold exactly its modules.
package tools

import (
	_ "github.com/cilium/cilium/cilium-dbg"
	_ "github.com/cilium/cilium/daemon"
	_ "github.com/cilium/cilium/plugins/cilium-cni"
)
