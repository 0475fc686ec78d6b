package embedded_test

import "os"

func victim() bool { return os.Getenv("X") != "" }
