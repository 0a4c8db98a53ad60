"""What a big shop writes on its pages, around the few things that matter."""

BRANDS = (
    *("Nordvik", "Høyland", "Brünhild & Söhne", "Calder & Finch", "Maison Lévêque", "Ostrava", "Pinecrest", "Tallis"),
    *("Umbrado", "Verano", "Whitlock", "Yamashiro 山城", "Zephyrine", "Arroyo", "Bramwell", "Castell", "Dunmore"),
)
AUDIENCES = ("Men's", "Women's", "Unisex", "Kids'", "Premium", "Classic", "Everyday")

FEATURES = {
    "hat": ("Ribbed Knit Beanie", "Wide Brim", "Fold-Up Cuff"),
    "jacket": ("Quilted Lining", "Zip Front with Two Pockets", "Stand Collar"),
    "scarf": ("Fringed Ends", "Extra Long Wrap", "Soft Brushed Finish"),
    "socks": ("Pack of 6 Pairs", "Cushioned Sole", "Seamless Toe"),
    "gloves": ("Touchscreen Fingertips", "Fleece Lined", "Adjustable Wrist Strap"),
    "shoes": ("Lace-Up Trainers", "Memory Foam Insole", "Non-Slip Sole"),
    "boots": ("Ankle Height", "Side Zip", "Deep Tread Sole"),
    "belt": ("Reversible Buckle", "Stretch Weave", "35 mm Wide"),
    "wallet": ("RFID Blocking", "Slim Bifold with Coin Pocket", "8 Card Slots"),
    "backpack": ("15.6 Inch Laptop Sleeve", "Roll Top, 22 L", "Hidden Back Pocket"),
    "lamp": ("Dimmable with 3 Light Colours", "Adjustable Arm", "USB Charging Port"),
    "mug": ("350 ml with Lid", "Double Walled", "Dishwasher Safe"),
    "clock": ("Silent Sweep Movement", "Large Numerals", "30 cm Dial"),
    "chair": ("Curved Backrest", "Stackable", "Felt Floor Glides"),
    "basket": ("Woven with Handles", "Foldable", "Set of 2"),
    "tent": ("2 to 3 Person, Pop-Up", "Double Layer", "Full Rain Fly"),
    "bottle": ("750 ml, Leak Proof", "Wide Mouth", "Carry Loop"),
    "watch": ("Sapphire Glass, 40 mm", "Date Window", "Water Resistant to 50 m"),
    "blanket": ("130 x 170 cm", "Waffle Weave", "Tasselled Throw"),
    "pillow": ("Removable Cover", "Medium Firm", "Pack of 2"),
}
OCCASIONS = ("for Winter", "for Travel", "for Home & Office", "for Outdoors", "for Everyday Use", "as a Gift")
EXTRAS = (
    "Easy Care",
    "2-Year Guarantee",
    "New Model",
    "Gift Boxed",
    "Made in Europe",
    "Recycled Packaging",
    "Bestseller",
)
BADGES = (
    "Limited time deal",
    "Editor&rsquo;s choice",
    "Climate pledge friendly",
    "Small business",
    "Save 5% with coupon",
)

DEPARTMENT_LINKS = (
    *("Books", "Music & Vinyl", "Film & TV", "Video Games", "Electronics & Photo", "Computers", "Smart Home", "Garden"),
    *("DIY & Tools", "Car & Motorbike", "Toys & Games", "Baby", "Grocery", "Health & Personal Care", "Beauty", "Pets"),
    *("Sports", "Jewellery", "Luggage", "Stationery", "Musical Instruments", "Business & Industry", "Handmade"),
    *("Gift Cards", "Vouchers", "Second Chance", "New Releases", "Bestsellers", "Customer Service", "Sell With Us"),
)
SIDEBAR = {
    "Condition": ("New", "Renewed", "Used"),
    "Seller": (
        "Storefront",
        "Storefront Outlet",
        "Calder & Finch Ltd",
        "Ostrava Direct",
        "Arroyo EU",
        "Tallis Trading",
    ),
    "Discount": ("10% off or more", "25% off or more", "50% off or more", "Today’s coupons"),
    "Fit": ("Slim", "Regular", "Relaxed", "Petite", "Tall", "Plus"),
    "Pattern": ("Plain", "Striped", "Checked", "Floral", "Dotted", "Marled"),
    "Sustainability": ("Organic content", "Recycled content", "Fair trade", "Carbon neutral delivery"),
    "New arrivals": ("Last 30 days", "Last 90 days"),
    "Gift guides": ("Under the tree", "For him", "For her", "For the house", "Last minute"),
}
FOOTER = {
    "Get to know us": (
        *("Careers", "About Storefront", "Investor relations", "Newsroom", "Sustainability", "Devices", "Science blog"),
        *("Accessibility", "Our stores", "Impressum"),
    ),
    "Make money with us": (
        *("Sell on Storefront", "Sell under a private brand", "Become an affiliate", "Advertise your products"),
        *("Self-publish", "Host a pick-up point", "Fulfilment", "Storefront Pay", "Accelerator", "Logistics"),
    ),
    "Payment methods": (
        *("Store card", "Pay by instalments", "Gift card balance", "Currency converter", "Points & rewards"),
        *("Top up your account", "Corporate account", "Tax exemption", "Invoices", "Saved cards"),
    ),
    "Let us help you": (
        *("Your account", "Your orders", "Delivery rates & policies", "Returns & replacements", "Recalls"),
        *("Manage your content", "Help", "Contact us", "Track a parcel", "Report abuse"),
    ),
    "More from the group": (
        *("Audio books", "Fine food", "Cloud services", "Film database", "Shoe shop", "Photo prints", "Fabric shop"),
        *("Wholesale", "Warehouse deals", "Conditions of use"),
    ),
}

ABOUT = (
    "Carefully made from {material} that keeps its shape & colour, wash after wash",
    "The {colour} tone goes with nearly everything you own, at home, at work or on the way",
    "Thoughtful details: reinforced seams, a discreet logo and a loop to hang it up",
    "Comes in plastic-free packaging; the box can be used again for returns",
    "Questions? Our team in Rotterdam answers within 24 hours, seven days a week",
    "Care: see the sewn-in label, and do not tumble dry unless it says so",
    "Dimensions may differ by 1–2 cm, as every piece is finished by hand",
)
SPECIFICATIONS = {
    "Item weight": "{} g",
    "Package dimensions": "{} x 240 x 110 mm",
    "Manufacturer": "Storefront Trading No. {}",
    "Item model number": "SF-{}/B",
    "Date first available": "12 March 2024 & updated {} times",
    "Country of origin": "Portugal (plant {})",
    "Care instructions": "See label {}",
    "Batteries required": "No",
    "Best sellers rank": "{} in its department",
    "Included components": "1 piece, {} spare parts on request",
    "Warranty": "24 months",
    "Recyclable": "{}-A",
    "Unit count": "1.0 count",
    "Global trade identification number": "04006381{}",
}
QUESTIONS = (
    ("Does the colour look the same as in the pictures?", "In daylight it is a touch darker, but close."),
    ("Can I return it if I do not like it?", "Yes, within 30 days, and the label is in the box."),
    ("Is it really {material}?", "The label says so: mostly {material}, with a few other fibres or parts."),
    ("How long did delivery take for you?", "Two days to Graz, but a friend in Malmö waited for a week."),
    ("Is there a smell when it is new?", "A faint one that was gone after a day by the open window."),
    ("Does the {noun} come with instructions?", "A folded sheet in nine languages, none of which I needed."),
    ("Would you give it as a gift?", "I did, twice. The box is plain but sturdy."),
    ("What is the difference to last year's model?", "The stitching, the logo and, sadly, the price."),
)

PRAISE = (
    "It does exactly what it should, and after three months of daily use it still looks new.",
    "I was sceptical at this price, but the finish is better than on the one I paid twice as much for.",
    "My sister saw it and ordered two for herself the same evening.",
    "The {colour} is a real {colour}, not the washed-out shade you get elsewhere.",
    "It arrived a day early, well packed, and everything was in the box.",
    "You can feel that the {material} is of good quality; nothing creaks, scratches or comes loose.",
    "I have bought this {noun} three times now, for myself and as a present, and would do it again.",
    "Customer service answered a silly question of mine within the hour & very kindly.",
)
COMPLAINTS = (
    "It broke after nine days of careful use, and the seller has not answered since.",
    "The {colour} in the picture has little to do with what came out of the box.",
    "It smells, even after a week on the balcony, and my cat avoids the room.",
    "What is sold as {material} feels like cardboard, and looks like it too.",
    "Two of the seams were open when it arrived, so back it goes.",
    "I wanted to like this {noun}, but it is smaller than stated and does not last.",
    "Delivery took three weeks and the parcel looked as if it had been kicked all the way.",
    "For this money I expected something that survives the first month.",
)
CHATTER = (
    "I ordered it for a trip to Ljubljana in November, when it rains more often than not.",
    "For reference, I am 1.78 m tall and usually take a medium.",
    "My old one lasted eleven years, so the bar was high.",
    "There are videos about it, but they only show the packaging.",
    "I compared five of them before I chose, which my family found excessive.",
    "The manual is translated badly – «do not the product in the mouth» made us laugh.",
)
REVIEW_TITLES = {True: ("Happy with it", "Would buy again", "Lovely"), False: ("Sent it back", "Never again", "Poor")}
NAMES = ("Åsa", "José M.", "K. O'Neill", "Weiß", "Tomasz Ż.", "Ingrid", "A. Customer", "Priya", "佐藤", "bookworm_77")
