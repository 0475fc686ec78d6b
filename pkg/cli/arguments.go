package cli

import (
	"fmt"
	"strings"
)

// arguments takes apart the command line of a component: flags, which set the
// properties of all, and words, which are the rest. A flag's value is the next
// argument, whatever that begins with (--offset -5), unless it is the name of
// another flag.
func arguments(args []string, all []*properties, lists string) (flags []given, words []string, err error) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return flags, append(words, args[i+1:]...), nil
		}
		if arg == "-" || !strings.HasPrefix(arg, "-") {
			words = append(words, arg)
			continue
		}
		name, text, valued := strings.Cut(arg, "=")
		p, key, negated := flag(name, all)
		switch {
		case p == nil:
			return nil, nil, misspelt(name, all, lists)
		case negated && valued:
			return nil, nil, usage(fmt.Sprintf("%s takes no value", name), "write --%s=%s", key, text)
		case negated:
			text = "false"
		case valued:
		case p.isBool():
			text = "true"
		case i+1 < len(args) && !isFlag(args[i+1], all):
			i++
			text = args[i]
		default:
			value := "VALUE"
			if key == p.key() {
				value = placeholder(p)
			}
			return nil, nil, usage(fmt.Sprintf("%s needs a value", name), "write %s=%s", name, value)
		}
		flags = append(flags, given{key: key, text: text, label: name, flag: true})
	}
	return flags, words, nil
}

// flag returns the property that an argument names with its dashes, and the
// property's name as a file would have it. Negated says that the argument was
// --no-name.
func flag(arg string, all []*properties) (p *property, key string, negated bool) {
	if key, ok := strings.CutPrefix(arg, "--"); ok {
		p, _, _ := find(all, key)
		if p != nil && !p.takesRest() {
			return p, key, false
		}
		if key, ok := strings.CutPrefix(key, "no-"); ok {
			if p, _, _ := find(all, key); p != nil && p.isBool() {
				return p, key, true
			}
		}
		if p == nil {
			p = chooserOf(key, all)
		}
		return p, key, false
	}
	for _, each := range all {
		for _, p := range each.list {
			if p.Short != 0 && arg == "-"+string(p.Short) {
				return p, p.Name, false
			}
		}
	}
	return nil, "", false
}

// isFlag says whether an argument is a flag, with a value or without.
func isFlag(arg string, all []*properties) bool {
	name, _, _ := strings.Cut(arg, "=")
	p, _, _ := flag(name, all)
	return p != nil
}

// chooserOf returns the property that chooses the component within the
// component that has the property key; nil if there is none. It serves where a
// file may choose another one than the command line knows of.
func chooserOf(key string, all []*properties) *property {
	for _, each := range all {
		for _, p := range each.list {
			if p.isChooser() && strings.HasPrefix(key, p.key()+".") {
				return p
			}
		}
	}
	return nil
}

// withParts returns all and the properties of the components within the
// component, as args choose them or by default, so that arguments knows their
// flags.
func withParts(args []string, all []*properties) ([]*properties, error) {
	if err := reset(all); err != nil {
		return nil, err
	}
	var choices []given
	for i, arg := range args {
		name, text, valued := strings.Cut(arg, "=")
		p, key, _ := flag(name, all)
		if p == nil || !p.isChooser() || key != p.key() {
			continue
		}
		if !valued && i+1 < len(args) {
			text = args[i+1]
		}
		choices = append(choices, given{key: key, text: text})
	}
	return choose(all, choices, map[*property]error{})
}
