//go:build !race

package commandtest

const raceEnabled = false
