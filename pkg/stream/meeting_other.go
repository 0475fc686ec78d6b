//go:build !linux

package stream

import (
	"os"
	"path/filepath"
	"reflect"
	"syscall"
)

// meetingName puts the meeting into a directory that only the user may enter.
func meetingName(id string) string {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		dir = os.TempDir()
	}
	dir = filepath.Join(dir, "flumekit")
	os.Mkdir(dir, 0o700) // what is wrong with it shows when it is used
	return filepath.Join(dir, "pipe-"+id)
}

// peerUID cannot be asked portably; the directory keeps other users out.
func peerUID(syscall.Conn) (uid int, ok bool) { return 0, false }

// inode reads the numbers by name, since their types differ between systems.
func inode(info os.FileInfo) (dev, ino uint64, ok bool) {
	stat := reflect.ValueOf(info.Sys())
	if stat.Kind() != reflect.Pointer || stat.Elem().Kind() != reflect.Struct {
		return 0, 0, false
	}
	number := func(name string) (uint64, bool) {
		field := stat.Elem().FieldByName(name)
		switch {
		case field.CanUint():
			return field.Uint(), true
		case field.CanInt():
			return uint64(field.Int()), true
		}
		return 0, false
	}
	dev, devOK := number("Dev")
	ino, inoOK := number("Ino")
	return dev, ino, devOK && inoOK
}

func widen(*os.File) {}

// unread cannot be asked portably of a pipe's writing end.
func unread(*os.File) (n int, ok bool) { return 0, false }
