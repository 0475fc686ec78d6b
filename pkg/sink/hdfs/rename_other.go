//go:build !linux

package hdfs

// renameNew renames a file unless the name is taken.
func renameNew(from, to string) error { return renameLooking(from, to) }
