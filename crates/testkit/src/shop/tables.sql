CREATE TABLE customers (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  email VARCHAR(150) NOT NULL,
  name VARCHAR(100) NOT NULL,
  phone VARCHAR(30) DEFAULT NULL,
  balance DECIMAL(12,2) NOT NULL DEFAULT '0.00',
  score FLOAT DEFAULT NULL,
  rating DOUBLE DEFAULT NULL,
  birthday DATE DEFAULT NULL,
  created_at DATETIME(6) NOT NULL,
  updated_at TIMESTAMP(3) NULL DEFAULT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY customers_email (email),
  UNIQUE KEY customers_phone (phone),
  KEY customers_name (name(20), birthday)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE addresses (
  id INT NOT NULL AUTO_INCREMENT,
  customer_id BIGINT UNSIGNED NOT NULL,
  country CHAR(2) CHARACTER SET ascii NOT NULL,
  city VARCHAR(80) NOT NULL,
  street TEXT NOT NULL,
  PRIMARY KEY (id),
  KEY addresses_customer (customer_id),
  CONSTRAINT addresses_customer_fk FOREIGN KEY (customer_id) REFERENCES customers (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE products (
  id MEDIUMINT UNSIGNED NOT NULL AUTO_INCREMENT,
  sku VARCHAR(40) CHARACTER SET latin1 NOT NULL,
  name VARCHAR(120) NOT NULL,
  price DECIMAL(10,2) NOT NULL,
  stock INT NOT NULL DEFAULT '0',
  attributes {json},
  tags SET('new','sale','heavy','fragile','last') DEFAULT NULL,
  status ENUM('draft','active','retired') NOT NULL DEFAULT 'draft',
  weight DOUBLE DEFAULT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY products_sku (sku),
  KEY products_status (status, price)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE orders (
  id BIGINT NOT NULL AUTO_INCREMENT,
  customer_id BIGINT UNSIGNED NOT NULL,
  address_id INT DEFAULT NULL,
  status ENUM('new','paid','sent','back') NOT NULL DEFAULT 'new',
  total DECIMAL(14,2) NOT NULL,
  note VARCHAR(300) DEFAULT NULL,
  placed_at DATETIME(6) NOT NULL,
  PRIMARY KEY (id),
  KEY orders_customer (customer_id, placed_at),
  KEY orders_address (address_id),
  KEY orders_status (status, placed_at),
  CONSTRAINT orders_customer_fk FOREIGN KEY (customer_id) REFERENCES customers (id),
  CONSTRAINT orders_address_fk FOREIGN KEY (address_id) REFERENCES addresses (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE order_items (
  order_id BIGINT NOT NULL,
  line SMALLINT NOT NULL,
  product_id MEDIUMINT UNSIGNED NOT NULL,
  quantity INT UNSIGNED NOT NULL,
  price DECIMAL(10,2) NOT NULL,
  PRIMARY KEY (order_id, line),
  KEY order_items_product (product_id),
  CONSTRAINT order_items_order_fk FOREIGN KEY (order_id) REFERENCES orders (id),
  CONSTRAINT order_items_product_fk FOREIGN KEY (product_id) REFERENCES products (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE payments (
  id BIGINT NOT NULL AUTO_INCREMENT,
  order_id BIGINT NOT NULL,
  amount DECIMAL(18,4) NOT NULL,
  flags BIT(10) DEFAULT NULL,
  paid_at DATETIME(6) NOT NULL,
  took TIME(2) DEFAULT NULL,
  PRIMARY KEY (id),
  KEY payments_order (order_id),
  CONSTRAINT payments_order_fk FOREIGN KEY (order_id) REFERENCES orders (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE images (
  id INT NOT NULL AUTO_INCREMENT,
  product_id MEDIUMINT UNSIGNED NOT NULL,
  digest BINARY(8) NOT NULL,
  data MEDIUMBLOB,
  PRIMARY KEY (id),
  KEY images_product (product_id),
  CONSTRAINT images_product_fk FOREIGN KEY (product_id) REFERENCES products (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE reviews (
  id INT NOT NULL AUTO_INCREMENT,
  product_id MEDIUMINT UNSIGNED NOT NULL,
  customer_id BIGINT UNSIGNED NOT NULL,
  stars TINYINT NOT NULL,
  season YEAR DEFAULT NULL,
  body TEXT,
  PRIMARY KEY (id),
  KEY reviews_product (product_id),
  KEY reviews_customer (customer_id),
  CONSTRAINT reviews_product_fk FOREIGN KEY (product_id) REFERENCES products (id),
  CONSTRAINT reviews_customer_fk FOREIGN KEY (customer_id) REFERENCES customers (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE coupons (
  code VARCHAR(40) NOT NULL,
  holder_id BIGINT UNSIGNED DEFAULT NULL,
  percent TINYINT UNSIGNED NOT NULL,
  valid_until DATETIME DEFAULT NULL,
  PRIMARY KEY (code),
  UNIQUE KEY coupons_holder (holder_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE shelves (
  id INT NOT NULL AUTO_INCREMENT,
  position INT NOT NULL,
  label VARCHAR(40) NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY shelves_position (position),
  UNIQUE KEY shelves_label (label)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE visits (
  page VARCHAR(60) DEFAULT NULL,
  customer_id BIGINT UNSIGNED DEFAULT NULL,
  seen_at DATETIME DEFAULT NULL,
  KEY visits_page (page)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE audit_log (
  writer INT NOT NULL,
  sequence BIGINT NOT NULL,
  what VARCHAR(60) NOT NULL,
  at DATETIME(6) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
