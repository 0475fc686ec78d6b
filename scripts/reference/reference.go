// Command reference writes the reference pages: a README.md in each component's
// folder, made from the same Spec as the command's --help. Kinds whose members
// share a folder share a page. Run it by scripts/docs.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	channels "github.com/flumekit/flumekit/pkg/channel/all"
	"github.com/flumekit/flumekit/pkg/cli"
	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/interceptor"
	"github.com/flumekit/flumekit/pkg/selector"
	"github.com/flumekit/flumekit/pkg/serializer"
	sinks "github.com/flumekit/flumekit/pkg/sink/all"
	"github.com/flumekit/flumekit/pkg/sinkgroup"
	sources "github.com/flumekit/flumekit/pkg/source/all"
)

const (
	module = "github.com/flumekit/flumekit/"
	mark   = "<!-- Made by scripts/docs from the Go files of this folder. Do not edit. -->\n"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "docs: error:", err)
		os.Exit(1)
	}
}

// run brings the pages below the current directory up to date.
func run() error {
	all, err := pages()
	if err != nil {
		return err
	}
	old, err := written(".")
	if err != nil {
		return err
	}
	for path, page := range all {
		if !bytes.Equal(old[path], page) {
			fmt.Println("writing", path)
			if err := os.WriteFile(path, page, 0o644); err != nil {
				return err
			}
		}
		delete(old, path)
	}
	for path := range old {
		fmt.Println("removing", path)
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

// pages returns all pages there should be, by their paths from the module's root.
func pages() (map[string][]byte, error) {
	all := make(map[string][]byte)
	return all, errors.Join(
		add(all, cli.Program{Name: "fsrc", Kind: "source"}, sources.Catalog),
		add(all, cli.Program{Name: "fchan", Kind: "channel"}, channels.Catalog),
		add(all, cli.Program{Name: "fsink", Kind: "sink"}, sinks.Catalog),
		add(all, cli.Program{Name: "fsink", Kind: "sink processor"}, sinkgroup.Catalog),
		add(all, cli.Program{Kind: "interceptor"}, interceptor.Catalog),
		add(all, cli.Program{Kind: "channel selector"}, selector.Catalog),
		add(all, cli.Program{Kind: "event serializer"}, serializer.Catalog),
	)
}

// add adds the pages of one kind of component.
func add[O any](all map[string][]byte, prog cli.Program, catalog component.Catalog[O]) error {
	members := make(map[string][]string) // pages by folder
	for _, spec := range catalog {
		text, err := cli.Markdown(prog, spec)
		if err != nil {
			return fmt.Errorf("the page of the %s %s: %w", spec.Name, prog.Kind, err)
		}
		dir := folder(spec.New())
		members[dir] = append(members[dir], text)
	}
	for dir, texts := range members {
		page := texts[0]
		if strings.Count(dir, "/") == 1 { // pkg/interceptor: the kind's own folder
			page = join("# The "+prog.Kind+"s", texts)
		} else if len(texts) > 1 { // a family, such as those of syslog
			page = join("# "+filepath.Base(dir)+" "+prog.Kind+"s", texts)
		}
		all[filepath.Join(dir, "README.md")] = []byte(mark + "\n" + page)
	}
	return nil
}

// folder returns the folder of a component's options.
func folder(options any) string {
	return strings.TrimPrefix(reflect.TypeOf(options).Elem().PkgPath(), module)
}

// join puts pages under one title, their headings a level down.
func join(title string, pages []string) string {
	var page strings.Builder
	page.WriteString(title + "\n")
	for _, text := range pages {
		page.WriteString("\n")
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "#") {
				page.WriteString("#")
			}
			page.WriteString(line)
		}
	}
	return page.String()
}

// written returns the pages that are below root, by their paths from there.
func written(root string) (map[string][]byte, error) {
	found := make(map[string][]byte)
	err := fs.WalkDir(os.DirFS(root), "pkg", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() != "README.md" {
			return err
		}
		page, err := os.ReadFile(filepath.Join(root, path))
		if bytes.HasPrefix(page, []byte(mark)) {
			found[path] = page
		}
		return err
	})
	return found, err
}
