//go:build race

package commandtest

// raceEnabled says that the tests run with the race detector: so do the commands.
const raceEnabled = true
