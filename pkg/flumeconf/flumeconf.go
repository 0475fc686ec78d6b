// Package flumeconf reads Flume's configuration language: Java properties
// files whose keys say which agents there are, of which components they are
// made, and how those are joined.
//
//	a1.channels = c1
//	a1.sources = r1
//	a1.sinks = k1
//	a1.channels.c1.type = memory
//	a1.sources.r1.type = netcat
//	a1.sources.r1.port = 44444
//	a1.sources.r1.channels = c1
//	a1.sinks.k1.type = logger
//	a1.sinks.k1.channel = c1
//
// Parse reads the properties of one file and Format writes them; Load merges
// files to a File, whose Agent is the topology to run and whose Check tells
// all that is wrong with it. The file and line of each property are kept
// throughout, so that whoever uses a value can say where it stands.
//
// What the types and properties of a component mean is not known here: a type
// is kept as it is written, and a property is a name with a text.
package flumeconf
