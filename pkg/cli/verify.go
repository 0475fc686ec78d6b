package cli

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/flumekit/flumekit/pkg/component"
)

// Verify returns what is wrong with a catalogue, for the tests of the package
// that has it: names that are there twice, a component without a summary or a
// manual, tags that cannot be read, a property without help or with a default
// that is none, a target that sets what is not there, a flag that hides one of
// the shared groups or of Process, a property that a file and the command line read differently. Shared returns
// fresh groups each time; it may be nil.
func Verify[O any](catalog component.Catalog[O], shared func() []Group) error {
	if shared == nil {
		shared = func() []Group { return nil }
	}
	var found []error
	seen := map[string]bool{}
	for _, spec := range catalog {
		complain := func(format string, args ...any) {
			found = append(found, fmt.Errorf("%s: %w", spec.Name, fmt.Errorf(format, args...)))
		}
		for _, name := range []string{spec.Name, spec.Class} {
			if name != "" && seen[strings.ToLower(name)] {
				complain("another component has the name %s", name)
			}
			seen[strings.ToLower(name)] = true
		}
		if spec.Name == "" || spec.Name != strings.ToLower(spec.Name) {
			complain("the name %q is not in lower case", spec.Name)
		}
		if !strings.HasSuffix(spec.Summary, ".") {
			complain("the summary %q is no sentence", spec.Summary)
		}
		if spec.Manual == "" {
			complain("there is no manual")
		}
		groups := append(shared(), Group{Options: new(Process), Command: true})
		all, err := loadAll(spec.New(), groups)
		if err != nil {
			complain("%w", err)
			continue
		}
		if key := stray(spec, all); key != "" {
			complain("its target sets %s, which it has not", key)
		}
		for i, each := range all {
			for _, p := range each.list {
				if p.Help == "" && p.notice() == "" && !p.Hidden {
					complain("%s has no help", p.Name)
				}
				if err := p.reset(); err != nil {
					complain("the default of %s: %w", p.Name, err)
				}
				if _, _, owner := find(all, p.Name); owner != each {
					complain("--%s means two things", p.Name)
				}
				if i == 0 && !p.wild {
					if err := readAlike(spec, p); err != nil {
						complain("%w", err)
					}
				}
			}
		}
	}
	return errors.Join(found...)
}

// stray returns a property that the target of a component sets and that the
// component has not; "" if there is none.
func stray[O any](spec component.Spec[O], all []*properties) string {
	if spec.Target == nil {
		return ""
	}
	for _, word := range []string{"x", ":1", "x:1", "http://x:1/y"} {
		props, err := spec.Target.Properties(word)
		if err != nil {
			continue
		}
		for key := range props {
			if p, _ := all[0].find(key); p == nil {
				return key
			}
		}
	}
	return ""
}

// readAlike gives one property a value in a file and on the command line, in
// each form it may have there, and compares what becomes of it.
func readAlike[O any](spec component.Spec[O], p *property) error {
	text, err := sample(spec, p)
	if err != nil {
		return err
	}
	lines := [][]string{{"--" + p.Name + "=" + text}}
	if !p.isBool() {
		lines = append(lines, []string{"--" + p.Name, text})
	}
	want := spec.New()
	if err := setOne(want, []given{{key: p.Name, text: text}}); err != nil {
		return err
	}
	for _, line := range lines {
		got := spec.New()
		all, err := loadAll(got, nil)
		if err != nil {
			return err
		}
		flags, words, err := arguments(line, all, "")
		if err != nil || len(words) > 0 {
			return fmt.Errorf("%q is not read as a flag: %v", line, err)
		}
		if err := setOne(got, flags); err != nil {
			return err
		}
		if !reflect.DeepEqual(got, want) {
			return fmt.Errorf("%s is %+v from a file and %+v from %q", p.Name, want, got, line)
		}
	}
	return nil
}

// setOne sets options from what was given, without asking whether the whole is
// fit.
func setOne(options any, gs []given) error {
	all, err := loadAll(options, nil)
	if err != nil {
		return err
	}
	if err := reset(all); err != nil {
		return err
	}
	for _, g := range gs {
		p, sub := all[0].find(g.key)
		if p.isSlice() {
			p.Target.SetZero()
		}
		if err := p.set(sub, g.text); err != nil {
			return err
		}
	}
	return nil
}

// sample returns a value that the property takes.
func sample[O any](spec component.Spec[O], p *property) (string, error) {
	texts := []string{p.Default, "7", "true", "UTF-8", "UTC", "x", "k=v", "localhost:7"}
	if p.Enum != "" {
		texts = append(p.EnumSlice(), texts...)
	}
	for _, text := range texts {
		if text != "" && setOne(spec.New(), []given{{key: p.Name, text: text}}) == nil {
			return text, nil
		}
	}
	return "", fmt.Errorf("%s takes none of %q", p.Name, texts)
}
