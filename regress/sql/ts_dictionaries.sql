-- Dictionaries with files: templates synonym, thesaurus, ispell; how they work together.
\set SHOW_CONTEXT never
-- options
CREATE TEXT SEARCH DICTIONARY bad (template = synonym);
CREATE TEXT SEARCH DICTIONARY bad (template = synonym, synonyms = 'No.pe');
CREATE TEXT SEARCH DICTIONARY bad (template = synonym, synonyms = kitchen, other = 1);
CREATE TEXT SEARCH DICTIONARY bad (template = synonym, synonyms = kitchen, casesensitive = maybe);
CREATE TEXT SEARCH DICTIONARY bad (template = synonym, synonyms = kitchen, casesensitive = 2);
CREATE TEXT SEARCH DICTIONARY bad (template = simple, stopwords = 'English');
CREATE TEXT SEARCH DICTIONARY bad (template = simple, accept = maybe);
CREATE TEXT SEARCH DICTIONARY bad (template = simple, accept = true, accept = false);
CREATE TEXT SEARCH DICTIONARY bad (template = simple, stopwords = english, stopwords = nothing);
CREATE TEXT SEARCH DICTIONARY bad (template = simple, "StopWords" = english);
CREATE TEXT SEARCH DICTIONARY bad (template = snowball, stopwords = english, stopwords = german, language = english);
CREATE TEXT SEARCH DICTIONARY bad (template = snowball, language = german, language = english);
CREATE TEXT SEARCH DICTIONARY bad (template = snowball, language = klingon);
CREATE TEXT SEARCH DICTIONARY bad (template = snowball, other = klingon);
CREATE TEXT SEARCH DICTIONARY bad (template = thesaurus);
CREATE TEXT SEARCH DICTIONARY bad (template = thesaurus, dictionary = simple);
CREATE TEXT SEARCH DICTIONARY bad (template = thesaurus, dictfile = kitchen);
CREATE TEXT SEARCH DICTIONARY bad (template = thesaurus, dictfile = kitchen, dictionary = nothing);
CREATE TEXT SEARCH DICTIONARY bad (template = thesaurus, dictfile = kitchen, dictionary = simple, dictionary = simple);
CREATE TEXT SEARCH DICTIONARY bad (template = thesaurus, dictfile = kitchen, dictfile = kitchen, dictionary = simple);
CREATE TEXT SEARCH DICTIONARY bad (template = thesaurus, dictfile = kitchen, dictionary = simple, other = 1);
CREATE TEXT SEARCH DICTIONARY bad (template = thesaurus, dictfile = kitchen, dictionary = english_stem);
CREATE TEXT SEARCH DICTIONARY bad (template = ispell);
CREATE TEXT SEARCH DICTIONARY bad (template = ispell, dictfile = harbour);
CREATE TEXT SEARCH DICTIONARY bad (template = ispell, afffile = harbour);
CREATE TEXT SEARCH DICTIONARY bad (template = ispell, dictfile = harbour, dictfile = harbour, afffile = harbour);
CREATE TEXT SEARCH DICTIONARY bad (template = ispell, dictfile = harbour, afffile = harbour, afffile = harbour);
CREATE TEXT SEARCH DICTIONARY bad (template = ispell, stopwords = english, stopwords = english);
CREATE TEXT SEARCH DICTIONARY bad (template = ispell, dictfile = harbour, afffile = harbour, other = 1);
CREATE TEXT SEARCH DICTIONARY bad (template = ispell, dictfile = harbour, afffile = harbour_num);
CREATE TEXT SEARCH DICTIONARY bad (template = ispell, dictfile = harbour, afffile = harbour_long);
CREATE TEXT SEARCH TEMPLATE without_options (lexize = dsimple_lexize);
CREATE TEXT SEARCH DICTIONARY bad (template = without_options, accept = true);
-- words for words
CREATE TEXT SEARCH DICTIONARY kitchen (template = synonym, synonyms = kitchen);
CREATE TEXT SEARCH DICTIONARY kitchen_case (template = synonym, synonyms = kitchen, casesensitive = on);
SELECT w, ts_lexize('kitchen', w), ts_lexize('kitchen_case', w)
  FROM unnest('{aubergine,AUBERGINE,courgette,lonely,Rocket,rocket,peppers,coriander,"",#}'::text[]) w;
ALTER TEXT SEARCH DICTIONARY kitchen (casesensitive = 1);
SELECT ts_lexize('kitchen', 'rocket'), ts_lexize('kitchen', 'Rocket');
ALTER TEXT SEARCH DICTIONARY kitchen (casesensitive);
SELECT ts_lexize('kitchen', 'rocket'), ts_lexize('kitchen', 'Rocket');
SELECT dictname, dictinitoption FROM pg_ts_dict WHERE oid >= 16384 ORDER BY 1;
CREATE TEXT SEARCH CONFIGURATION kitchen (copy = english);
ALTER TEXT SEARCH CONFIGURATION kitchen ALTER MAPPING FOR asciiword, word WITH kitchen, english_stem;
SELECT to_tsvector('kitchen', 'Aubergines, an aubergine and peppers with rockets');
SELECT to_tsquery('kitchen', 'peppers & aubergine'), phraseto_tsquery('kitchen', 'the peppers of coriander'), plainto_tsquery('kitchen', 'rocket peppers');
SELECT to_tsvector('kitchen', 'pepperoni') @@ to_tsquery('kitchen', 'peppers');
SELECT token, dictionaries, dictionary, lexemes FROM ts_debug('kitchen', 'aubergine cooking the');
SELECT ts_headline('kitchen', 'fry the pepperoni with an eggplant', to_tsquery('kitchen', 'peppers | aubergine'));
-- phrases for phrases
CREATE TEXT SEARCH DICTIONARY phrases (template = thesaurus, dictfile = kitchen, dictionary = simple);
CREATE TEXT SEARCH DICTIONARY stopping (template = simple, stopwords = harbour);
ALTER TEXT SEARCH DICTIONARY phrases (dictionary = public.stopping);
ALTER TEXT SEARCH DICTIONARY phrases (dictionary = phrases);
CREATE TEXT SEARCH DICTIONARY bad (template = thesaurus, dictfile = kitchen, dictionary = phrases);
SELECT w, ts_lexize('phrases', w)
  FROM unnest('{bread,olive,oil,salt,frying,the,"olive oil",""}'::text[]) w;
CREATE TEXT SEARCH CONFIGURATION phrases (copy = simple);
ALTER TEXT SEARCH CONFIGURATION phrases ALTER MAPPING FOR asciiword, asciihword, hword_asciipart WITH phrases, simple;
SELECT d, to_tsvector('phrases', d) FROM unnest('{
  olive oil,
  extra virgin olive oil,
  extra virgin olive,
  virgin oil,
  virgin olive oil,
  bread and butter,
  bread and,
  bread,
  bread bread and butter,
  salt the pepper,
  salt with pepper,
  salt and pepper,
  salt pepper,
  the table the,
  the table,
  the table with a,
  frying pan,
  frying pan lids,
  frying pan lid,
  frying 12 pan,
  frying - pan,
  frying,
  bread 12,
  bread 12 frying pan,
  frying pan 12,
  pan,
  olive-oil,
  olive oil olive oil,
  frying pan frying pan lid}'::text[]) d;
SELECT to_tsquery('phrases', '''virgin oil'' & ''bread and butter'''), to_tsquery('phrases', 'olive <-> oil'),
  plainto_tsquery('phrases', 'extra virgin olive oil with bread'), phraseto_tsquery('phrases', 'virgin oil the bread'),
  websearch_to_tsquery('phrases', '"frying pan" or bread -"salt the pepper"');
SELECT ts_headline('phrases', 'put some olive oil into the frying pan with bread', to_tsquery('phrases', '''olive oil'' | ''frying pan'''));
SELECT ts_headline('phrases', 'virgin oil is cold but pressed', phraseto_tsquery('phrases', 'virgin oil'));
SELECT token, dictionaries, dictionary, lexemes FROM ts_debug('phrases', 'olive oil and bread');
ALTER TEXT SEARCH DICTIONARY stopping (stopwords = english);
SELECT to_tsvector('phrases', 'salt with pepper'), to_tsvector('phrases', 'bread and butter');
ALTER TEXT SEARCH DICTIONARY phrases (dictionary = simple);
SELECT to_tsvector('phrases', 'salt with pepper'), to_tsvector('phrases', 'bread and butter');
ALTER TEXT SEARCH DICTIONARY phrases (unknown);
ALTER TEXT SEARCH DICTIONARY phrases (dictfile);
ALTER TEXT SEARCH DICTIONARY phrases ("Foo" = 3);
SELECT dictname, dictinitoption FROM pg_ts_dict WHERE oid >= 16384 ORDER BY 1;
-- words with affixes, in all formats
CREATE TEXT SEARCH DICTIONARY old_format (template = ispell, dictfile = harbour, afffile = harbour, stopwords = harbour);
CREATE TEXT SEARCH DICTIONARY new_format (template = ispell, dictfile = harbour, afffile = harbour_huns);
CREATE TEXT SEARCH DICTIONARY long_flags (template = ispell, dictfile = harbour_long, afffile = harbour_long);
CREATE TEXT SEARCH DICTIONARY numbers (template = ispell, dictfile = harbour_num, afffile = harbour_num);
SELECT w, ts_lexize('old_format', w) AS old_format, ts_lexize('new_format', w) AS new_format,
    ts_lexize('long_flags', w) AS long_flags, ts_lexize('numbers', w) AS numbers
  FROM unnest('{boat,boats,Boats,houseboat,houseboats,boathouse,boatshouse,boatshouses,ferries,ferrys,ferryboat,moored,mooring,unmoored,
    unmooring,remoored,untied,retied,unmoor,sailboat,sailingboat,boatsail,sailboathouse,sailboatshouses,masters,the,thes,boated,
    onlypart,onlyparts,onlyparthouse,houseonlypart,inside,insideboat,boatinside,8,nothing,""}'::text[]) w;
CREATE TEXT SEARCH CONFIGURATION harbour (copy = simple);
ALTER TEXT SEARCH CONFIGURATION harbour ALTER MAPPING FOR asciiword WITH old_format, english_stem;
SELECT to_tsvector('harbour', 'the boathouses of untied sailboats were moored');
SELECT to_tsquery('harbour', 'sailboathouses'), to_tsquery('harbour', 'boats:*A & the'), phraseto_tsquery('harbour', 'untied the sailboat');
SELECT to_tsvector('harbour', 'houses for sailing boats') @@ plainto_tsquery('harbour', 'sailboathouse');
SELECT ts_headline('harbour', 'Sailing boats and boathouses', to_tsquery('harbour', 'boat & house'));
ALTER TEXT SEARCH CONFIGURATION harbour ALTER MAPPING FOR asciiword REPLACE old_format WITH numbers;
SELECT to_tsvector('harbour', 'the boathouses of untied sailboats were moored');
ALTER TEXT SEARCH CONFIGURATION harbour ALTER MAPPING REPLACE numbers WITH long_flags;
SELECT to_tsvector('harbour', 'the boathouses of untied sailboats were moored');
-- a transaction's own options are its own
BEGIN;
ALTER TEXT SEARCH DICTIONARY old_format (dictfile = harbour_num, stopwords);
SELECT ts_lexize('old_format', 'the'), ts_lexize('old_format', 'boats');
ROLLBACK;
SELECT ts_lexize('old_format', 'the'), ts_lexize('old_format', 'boats');
-- a dictionary that knows nothing lets the next one look
CREATE TEXT SEARCH DICTIONARY only_stops (template = simple, accept = false, stopwords = harbour);
SELECT w, ts_lexize('only_stops', w) FROM unnest('{the,with,something,a,officially,boat}'::text[]) w;
DROP TEXT SEARCH CONFIGURATION harbour;
DROP TEXT SEARCH DICTIONARY stopping;
DROP TEXT SEARCH DICTIONARY old_format, new_format, long_flags, numbers;
