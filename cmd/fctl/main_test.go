package main_test

import (
	"testing"

	"github.com/flumekit/flumekit/cmd/commandtest"
)

func TestMain(m *testing.M) { commandtest.Main(m) }

func TestScripts(t *testing.T) { commandtest.Scripts(t) }
